package lockstep.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import lockstep.io.SyncMethod;

/** The other process of a bare commit: receives, flushes, answers. */
public final class BareStandby {
    static final int BLOCK_BYTES = 4096;

    private BareStandby() {}

    /** Takes the port of the first process, a directory, and the way to flush, or {@code none}. */
    public static void main(String[] arguments) throws IOException {
        InetSocketAddress primary =
                new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(arguments[0]));
        SyncMethod method = arguments[2].equals("none") ? null : SyncMethod.parse(arguments[2]);
        ByteBuffer message = ByteBuffer.allocateDirect(Limits.COMMIT_BYTES);
        ByteBuffer answer = ByteBuffer.allocateDirect(1);
        try (SocketChannel channel = SocketChannel.open(primary);
                Limits.Flusher flusher = method == null
                        ? null
                        : new Limits.Flusher(Path.of(arguments[1]), "bare-standby", method, BLOCK_BYTES)) {
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            while (Limits.receive(channel, message.clear())) {
                if (flusher != null) {
                    flusher.flush();
                }
                Limits.send(channel, answer.clear());
            }
        }
    }
}
