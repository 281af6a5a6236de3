package lockstep.transport.ssh;

import java.io.IOException;
import java.util.Collections;
import org.apache.sshd.common.io.IoWriteFuture;
import org.apache.sshd.server.channel.ChannelSession;

/** A channel that one can end in one direction only. */
final class WalChannel extends ChannelSession {
    WalChannel() {
        super(Collections.emptyList());
    }

    /** Tells the client that no more will come. */
    void endOutput() throws IOException {
        IoWriteFuture unused = sendEof();
    }
}
