package lockstep.security;

import java.lang.reflect.Proxy;
import java.util.Map;

/** A configuration with all defaults but some. */
public final class SecuritySettings {
    private SecuritySettings() {}

    /** @param changed values by method */
    public static SecurityConfiguration except(Map<String, Object> changed) {
        return (SecurityConfiguration) Proxy.newProxyInstance(
                SecurityConfiguration.class.getClassLoader(),
                new Class<?>[] {SecurityConfiguration.class},
                (proxy, method, arguments) -> changed.getOrDefault(method.getName(), method.getDefaultValue()));
    }
}
