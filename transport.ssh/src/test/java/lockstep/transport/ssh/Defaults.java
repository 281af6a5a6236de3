package lockstep.transport.ssh;

import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Map;

/** A configuration with all defaults but some. */
final class Defaults {
    private Defaults() {}

    /** @param changed values by method */
    static SshConfiguration except(Map<String, Object> changed) {
        var values = new HashMap<>(changed);
        return (SshConfiguration) Proxy.newProxyInstance(
                SshConfiguration.class.getClassLoader(),
                new Class<?>[] {SshConfiguration.class},
                (proxy, method, arguments) -> values.getOrDefault(method.getName(), method.getDefaultValue()));
    }
}
