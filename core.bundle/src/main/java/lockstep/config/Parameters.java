package lockstep.config;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The parameters of this server. An OSGi service. Names are case-insensitive. May be used by any thread; reading never
 * waits. Before the files have been checked, every method throws {@link IllegalStateException}.
 */
@ProviderType
public interface Parameters {
    /** Returns every parameter that an installed bundle declares, by name. */
    List<Parameter> all();

    /** Returns the parameter of that name. */
    Optional<Parameter> get(String name);

    /**
     * Sets a parameter, in its file and in the server. The file keeps its order and comments. The component
     * hears of the new value at once, on ConfigAdmin's thread, unless the parameter is read at start.
     *
     * @param value as in the file, without quotes
     * @return whether the value waits for a restart of the server
     * @throws ParameterException if there is no such parameter or it cannot have this value; nothing has changed
     * @throws IOException if the file cannot be written; nothing has changed
     */
    boolean set(String name, String value) throws ParameterException, IOException;

    /**
     * Reads the files again.
     *
     * @return whether a value waits for a restart of the server
     * @throws ParameterException if there is anything wrong in the files, with all that is wrong; nothing has changed
     * @throws IOException if a file cannot be read; nothing has changed
     */
    boolean reload() throws ParameterException, IOException;
}
