/**
 * What a transport is written against, and nothing else: how two servers reach each other ({@link
 * lockstep.transport.api.Transport}, {@link lockstep.transport.api.Session}), what they say ({@link
 * lockstep.transport.api.Message}) and how it looks as bytes ({@link lockstep.transport.api.MessageCodec}).
 *
 * <p>A transport moves typed messages between two servers, in order, or says that the session broke. It knows nothing
 * of catch-up, commit rules, files or timelines: the core owns those, once, for every transport.
 */
@Export
@Version("1.0.0")
package lockstep.transport.api;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
