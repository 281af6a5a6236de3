package lockstep.transport.postgres.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.Socket;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import lockstep.transport.api.Endpoint;
import lockstep.transport.postgres.protocol.BackendMessage;
import lockstep.transport.postgres.protocol.BackendMessage.ErrorResponse;
import lockstep.transport.postgres.protocol.BackendMessage.ReadyForQuery;
import lockstep.transport.postgres.protocol.CopyMessage.CopyData;
import lockstep.transport.postgres.protocol.FrontendMessage;
import lockstep.transport.postgres.protocol.FrontendMessage.Query;
import lockstep.transport.postgres.protocol.ReplicationMessage;
import lockstep.transport.postgres.protocol.Report;
import lockstep.transport.postgres.protocol.StartupPacket;
import lockstep.transport.postgres.protocol.StartupPacket.Startup;

/** A client on a socket, which says and hears one message after the other. */
final class PgClient implements AutoCloseable {
    private static final int PATIENCE_MS = 20_000;

    private final Socket socket;
    private final DataInputStream in;

    PgClient(Endpoint endpoint) throws IOException {
        socket = new Socket(endpoint.uri().getHost(), endpoint.uri().getPort());
        socket.setSoTimeout(PATIENCE_MS);
        in = new DataInputStream(socket.getInputStream());
    }

    /** Begins a replication session; returns what the server says up to its readiness, or to its end. */
    List<BackendMessage> begin(String... parameters) throws IOException {
        Map<String, String> values = new LinkedHashMap<>();
        for (int i = 0; i < parameters.length; i += 2) {
            values.put(parameters[i], parameters[i + 1]);
        }
        say(new Startup(Startup.VERSION_3_0, values));
        return answer();
    }

    void say(StartupPacket packet) throws IOException {
        say(packet::encode);
    }

    void say(FrontendMessage message) throws IOException {
        say(message::encode);
    }

    void say(ReplicationMessage message) throws IOException {
        say(message::encode);
    }

    private void say(Consumer<ByteBuf> encode) throws IOException {
        ByteBuf bytes = Unpooled.buffer();
        encode.accept(bytes);
        socket.getOutputStream().write(ByteBufUtil.getBytes(bytes));
    }

    /** Sends a command; returns what the server says up to its readiness. */
    List<BackendMessage> ask(String command) throws IOException {
        say(new Query(command));
        return answer();
    }

    /** Sends a command that fails. */
    Report askWrongly(String command) throws IOException {
        List<BackendMessage> answer = ask(command);
        assertEquals(ErrorResponse.class, answer.get(0).getClass(), answer::toString);
        assertEquals(1, answer.size(), answer::toString);
        return ((ErrorResponse) answer.get(0)).report();
    }

    /** Returns what the server says up to its readiness, or to its end. */
    List<BackendMessage> answer() throws IOException {
        List<BackendMessage> messages = new ArrayList<>();
        for (BackendMessage next = hear(); next != null && !(next instanceof ReadyForQuery); next = hear()) {
            messages.add(next);
        }
        return messages;
    }

    /** Returns what the server says next; null when it has closed. */
    BackendMessage hear() throws IOException {
        int type = in.read();
        return type < 0
                ? null
                : BackendMessage.decode((byte) type, Unpooled.wrappedBuffer(in.readNBytes(in.readInt() - 4)));
    }

    /** Returns the bare byte that answers a request for encryption. */
    int hearByte() throws IOException {
        return in.read();
    }

    /** Returns what the server says next inside a copy. */
    ReplicationMessage hearCopied() throws IOException {
        BackendMessage next = hear();
        assertEquals(CopyData.class, next.getClass(), next::toString);
        return ReplicationMessage.decode(((CopyData) next).content());
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
