package lockstep.transport.postgres.client;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.ssl.SslContext;
import java.io.EOFException;
import java.io.IOException;
import java.net.ConnectException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.postgres.client.Conninfo.ChannelBinding;
import lockstep.transport.postgres.protocol.BackendMessage;
import lockstep.transport.postgres.protocol.BackendMessage.Authentication;
import lockstep.transport.postgres.protocol.BackendMessage.BackendKeyData;
import lockstep.transport.postgres.protocol.BackendMessage.CommandComplete;
import lockstep.transport.postgres.protocol.BackendMessage.CopyBothResponse;
import lockstep.transport.postgres.protocol.BackendMessage.DataRow;
import lockstep.transport.postgres.protocol.BackendMessage.EncryptionAnswer;
import lockstep.transport.postgres.protocol.BackendMessage.ErrorResponse;
import lockstep.transport.postgres.protocol.BackendMessage.NegotiateProtocolVersion;
import lockstep.transport.postgres.protocol.BackendMessage.NoticeResponse;
import lockstep.transport.postgres.protocol.BackendMessage.ParameterStatus;
import lockstep.transport.postgres.protocol.BackendMessage.ReadyForQuery;
import lockstep.transport.postgres.protocol.BackendMessage.RowDescription;
import lockstep.transport.postgres.protocol.CopyMessage.CopyData;
import lockstep.transport.postgres.protocol.CopyMessage.CopyDone;
import lockstep.transport.postgres.protocol.FrontendMessage.Query;
import lockstep.transport.postgres.protocol.FrontendMessage.Terminate;
import lockstep.transport.postgres.protocol.ReplicationMessage;
import lockstep.transport.postgres.protocol.StartupPacket.SslRequest;
import lockstep.transport.postgres.protocol.StartupPacket.Startup;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A connection to a PostgreSQL server, as a client of its replication commands has it: TLS, login, commands one at a time, and a
 * copy in both directions for as long as WAL is streamed.
 *
 * <p><b>Why it blocks.</b> Each commit that waits for this standby waits for one piece of WAL to be read and one position to be
 * told. A thread that sleeps in the read itself is the shortest way between the two: no selector to ask first, and nothing to do
 * between the answer and the next sleep, which is what the server, woken on the same processor, waits for.
 *
 * <p><b>Threads.</b> One thread connects, gives commands and reads. Any may {@link #send}, {@link #endCopy} and {@link #close}; what
 * is sent leaves whole, under a lock. A server that goes away between two commands is missed when the next is given.
 */
final class ServerConnection {
    private static final Logger log = LoggerFactory.getLogger(ServerConnection.class);

    /** More than any message of a server that streams, or of a history file. */
    private static final int MAX_BODY_BYTES = 16 << 20;

    /** What is read at once: a whole group of commits, and more where WAL comes without a pause. */
    private static final int READ_BYTES = 1 << 20;

    private static final int MIN_READ_BYTES = 64 << 10;
    private static final int SEND_BYTES = 1 << 10;

    /**
     * How to begin.
     *
     * @param tls null for none
     * @param tlsRequired whether a server that has no TLS will not do
     * @param startup what the server is told first
     */
    record Opening(
            Conninfo.Host host,
            SslContext tls,
            boolean tlsRequired,
            Map<String, String> startup,
            Login.Passwords passwords,
            ChannelBinding channelBinding) {}

    /** Who takes a copy. All on the thread that reads. */
    interface Copying {
        /** The server agrees to copy. */
        void begun() throws IOException;

        /** Takes what is copied; its bytes are valid until this returns. */
        void copied(ReplicationMessage message) throws IOException;

        /** All that was at hand has been delivered. */
        void endOfBatch();
    }

    private final Opening opening;
    private final Line line = new Line();
    private final Map<String, String> parameters = new HashMap<>();
    private final ByteBuf in = Unpooled.directBuffer(READ_BYTES);
    private String lastWords = "";

    /** Guards what follows. */
    private final Object sending = new Object();

    private final ByteBuf out = Unpooled.buffer(SEND_BYTES);
    private boolean copies;

    /** Connects to nobody yet. */
    ServerConnection(Opening opening) throws IOException {
        this.opening = opening;
    }

    // The beginning.

    /**
     * Connects, and returns when the server takes commands.
     *
     * @param timeoutMs how long a server may take to accept the connection; who waits for more closes it
     */
    void open(int timeoutMs) throws IOException {
        try {
            line.connect(opening.host(), timeoutMs);
        } catch (ConnectException e) {
            throw String.valueOf(e.getMessage()).contains("refused")
                    ? new IOException(
                            "connection refused; is the server running, and does it listen there (listen_addresses, port)?",
                            e)
                    : e;
        }
        if (opening.tls() != null) {
            encrypt();
        }
        write(new Startup(Startup.VERSION_3_0, opening.startup())::encode);
        Login login = new Login(
                opening.startup().get("user"), opening.passwords(), opening.channelBinding(), line.certificate());
        for (BackendMessage message = next(); !(message instanceof ReadyForQuery); message = next()) {
            if (message instanceof ErrorResponse error) {
                throw new ServerException(error.report());
            } else if (message instanceof Authentication question) {
                var answer = login.answer(question);
                if (answer.isPresent()) {
                    write(answer.get()::encode);
                }
            } else {
                throw misplaced(message);
            }
        }
    }

    private void encrypt() throws IOException {
        write(new SslRequest()::encode);
        fill();
        EncryptionAnswer can = EncryptionAnswer.decode(in.readByte());
        if (can == EncryptionAnswer.NO && opening.tlsRequired()) {
            throw new IOException("the server has no TLS; sslmode=prefer would do without");
        } else if (can == EncryptionAnswer.YES) {
            if (in.isReadable()) {
                throw new IOException(
                        "bytes came in clear after the server had agreed to TLS: somebody may stand in between");
            }
            try {
                line.encrypt(opening.tls(), opening.host());
            } catch (IOException e) {
                throw new IOException("TLS fails: " + rootMessage(e), e);
            }
        }
    }

    private static String rootMessage(Throwable thrown) {
        Throwable root = thrown;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return root.getMessage() == null ? root.toString() : root.getMessage();
    }

    /** Returns a setting that the server told; empty if it did not. */
    String parameter(String name) {
        return parameters.getOrDefault(name, "");
    }

    /** Returns where the server is, for people. */
    String address() {
        return line.address();
    }

    // Commands.

    /**
     * Has a command done; returns the rows of its last result.
     *
     * @throws ServerException if the server answers with an error; it takes the next command all the same, unless that was fatal
     */
    List<List<String>> command(String text) throws IOException {
        return copy(text, null);
    }

    /** Has a command done that copies; returns the rows that follow the end of the copy. */
    List<List<String>> copy(String command, Copying copying) throws IOException {
        write(new Query(command)::encode);
        List<List<String>> rows = new ArrayList<>();
        ServerException error = null;
        for (BackendMessage message = next(); !(message instanceof ReadyForQuery); message = next()) {
            if (message instanceof ErrorResponse response) {
                error = failed(response);
            } else if (message instanceof RowDescription) {
                rows = new ArrayList<>();
            } else if (message instanceof DataRow row) {
                rows.add(row.values());
            } else if (message instanceof CopyBothResponse && copying != null) {
                error = copy(copying);
            } else if (!(message instanceof CommandComplete
                    || message instanceof CopyData // it was on its way when the copy ended
                    || message instanceof CopyDone)) {
                throw misplaced(message);
            }
        }
        if (error != null) {
            throw error;
        }
        return rows;
    }

    private static ServerException failed(ErrorResponse response) throws ServerException {
        ServerException error = new ServerException(response.report());
        if (error.isFatal()) {
            throw error;
        }
        return error;
    }

    /** Takes what is copied, to its end; returns the error that was the end of it, or null. */
    private ServerException copy(Copying copying) throws IOException {
        synchronized (sending) {
            copies = true;
        }
        copying.begun();
        try {
            return takeAll(copying);
        } finally {
            copying.endOfBatch();
        }
    }

    private ServerException takeAll(Copying copying) throws IOException {
        while (true) {
            BackendMessage message = next(copying);
            if (message instanceof CopyData data) {
                copying.copied(ReplicationMessage.decode(data.content()));
            } else if (message instanceof CommandComplete complete) {
                lastWords = "the server is being shut down (" + complete.tag() + ")";
            } else if (message instanceof CopyDone) {
                endCopy();
                return null;
            } else if (message instanceof ErrorResponse response) {
                synchronized (sending) {
                    copies = false;
                }
                return failed(response);
            } else {
                throw misplaced(message);
            }
        }
    }

    // Reading.

    private BackendMessage next() throws IOException {
        return next(null);
    }

    /** Returns the next message that asks for something to be done; those that only tell something are noted. */
    private BackendMessage next(Copying copying) throws IOException {
        while (true) {
            BackendMessage message = BackendMessage.next(in, MAX_BODY_BYTES);
            if (message == null) {
                if (copying != null) {
                    copying.endOfBatch();
                }
                fill();
            } else if (message instanceof ParameterStatus status) {
                parameters.put(status.name(), status.value());
            } else if (message instanceof NoticeResponse notice) {
                log.info("the PostgreSQL server at {} says: {}", address(), notice.report());
            } else if (!(message instanceof BackendKeyData || message instanceof NegotiateProtocolVersion)) {
                return message;
            }
        }
    }

    private void fill() throws IOException {
        if (!in.isReadable()) {
            in.clear();
        } else if (in.writableBytes() < MIN_READ_BYTES) {
            in.discardReadBytes().ensureWritable(MIN_READ_BYTES);
        }
        boolean more;
        try {
            more = line.read(in);
        } catch (IOException e) {
            // A server that has gone resets a connection on which something still came to it.
            throw lastWords.isEmpty() ? e : new IOException(lastWords, e);
        }
        if (!more) {
            throw new EOFException(
                    lastWords.isEmpty() ? "the server at " + opening.host() + " closed the connection" : lastWords);
        }
    }

    private static MalformedMessageException misplaced(BackendMessage message) {
        return new MalformedMessageException(
                "the server sent " + message.getClass().getSimpleName() + ", which has no place here");
    }

    // Sending.

    /**
     * Sends something of a copy, if there is one. The socket takes it at once, unless the other side has taken none of the thousands
     * of positions that fill its buffer.
     */
    void send(ReplicationMessage message) throws IOException {
        synchronized (sending) {
            if (copies) {
                write(message::encode);
            }
        }
    }

    /** Ends a copy from this side; the server ends its own then. */
    void endCopy() throws IOException {
        synchronized (sending) {
            if (copies) {
                copies = false;
                write(new CopyDone()::encode);
            }
        }
    }

    private void write(Consumer<ByteBuf> message) throws IOException {
        synchronized (sending) {
            out.clear();
            message.accept(out);
            line.write(out);
        }
    }

    // The end.

    /** Takes leave, and closes. */
    void terminate() throws IOException {
        try {
            write(new Terminate()::encode);
        } finally {
            close();
        }
    }

    /** Ends what blocks. */
    void close() throws IOException {
        line.close();
    }

    /** Closes, and gives up its room. The last call on the thread that reads. */
    void end() throws IOException {
        in.release();
        line.end();
    }
}
