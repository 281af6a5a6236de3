package lockstep.transport.tck;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import lockstep.transport.api.DownstreamStandby;
import lockstep.transport.api.Epoch;
import lockstep.transport.api.Message;
import lockstep.transport.api.Term;

/** Messages to send. What they hold follows from a number, so that the other end can tell whether it is the right one. */
public final class Messages {
    private Messages() {}

    /** Returns a piece of WAL whose bytes follow from its position. It repeats itself, so that compression has something to do. */
    public static Message.WalData wal(long startLsn, int bytes) {
        byte[] once = new byte[(bytes + 1) / 2];
        new Random(startLsn).nextBytes(once);
        byte[] data = Arrays.copyOf(once, bytes);
        System.arraycopy(once, 0, data, once.length, bytes - once.length);
        return new Message.WalData(startLsn, startLsn + bytes, startLsn, 1, ByteBuffer.wrap(data));
    }

    /** Returns a small message that is told from others by its number. */
    public static Message numbered(long number) {
        return new Message.BackupEnded(number);
    }

    /** Returns a message of every kind there is; of a kind with an enumeration, one for each of its values. */
    static Stream<Message> ofEveryKind(Random random) {
        return Stream.of(Message.class.getPermittedSubclasses())
                .filter(Class::isRecord)
                .flatMap(kind -> {
                    int variants = Stream.of(kind.getRecordComponents())
                            .map(RecordComponent::getType)
                            .filter(Class::isEnum)
                            .mapToInt(type -> type.getEnumConstants().length)
                            .max()
                            .orElse(1);
                    return Stream.iterate(0, i -> i < variants, i -> i + 1).map(i -> make(kind, i, random));
                });
    }

    private static Message make(Class<?> kind, int variant, Random random) {
        RecordComponent[] components = kind.getRecordComponents();
        Object[] values = new Object[components.length];
        Class<?>[] types = new Class<?>[components.length];
        for (int i = 0; i < components.length; i++) {
            types[i] = components[i].getType();
            values[i] = value(components[i].getGenericType(), types[i], variant, random);
        }
        try {
            return (Message) kind.getDeclaredConstructor(types).newInstance(values);
        } catch (ReflectiveOperationException e) {
            throw new LinkageError("cannot make a " + kind.getSimpleName(), e);
        }
    }

    private static Object value(Type generic, Class<?> type, int variant, Random random) {
        if (type == long.class) {
            return random.nextLong() & Long.MAX_VALUE;
        } else if (type == int.class) {
            return random.nextInt() & Integer.MAX_VALUE;
        } else if (type == boolean.class) {
            return random.nextBoolean();
        } else if (type == String.class) {
            return "Größe ∑ 😀 " + random.nextInt(1000);
        } else if (type.isEnum()) {
            Object[] constants = type.getEnumConstants();
            return constants[variant % constants.length];
        } else if (type == ByteBuffer.class) {
            byte[] bytes = new byte[1 + random.nextInt(1000)];
            random.nextBytes(bytes);
            return ByteBuffer.wrap(bytes);
        } else if (type == Epoch.class) {
            return new Epoch(1 + random.nextInt(1000), random.nextLong() & Long.MAX_VALUE);
        } else if (type == Term.class) {
            return new Term(random.nextInt(1000), random.nextInt(1000));
        } else if (type == DownstreamStandby.class) {
            return new DownstreamStandby(
                    -1, random.nextLong(), "Größe ∑ 😀", "streaming", 4, 3, 2, random.nextInt(1000));
        } else if (type == List.class && generic instanceof ParameterizedType list) {
            Class<?> element = (Class<?>) list.getActualTypeArguments()[0];
            return List.of(value(element, element, variant, random), value(element, element, variant, random));
        }
        throw new AssertionError("the kit cannot make a value of type " + generic.getTypeName());
    }

    /** Returns a message whose buffer is its own, so that it can be kept. */
    static Message copy(Message message) {
        if (message instanceof Message.WalData m) {
            return new Message.WalData(m.startLsn(), m.endLsn(), m.flushedLsn(), m.sentAtMicros(), copy(m.bytes()));
        } else if (message instanceof Message.BackupData m) {
            return new Message.BackupData(copy(m.bytes()));
        }
        return message;
    }

    private static ByteBuffer copy(ByteBuffer bytes) {
        return ByteBuffer.allocate(bytes.remaining()).put(bytes.duplicate()).flip();
    }
}
