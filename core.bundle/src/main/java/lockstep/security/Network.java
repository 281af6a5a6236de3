package lockstep.security;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.regex.Pattern;

/**
 * A set of addresses: {@code 10.0.0.0/8}, {@code ::1/128}, a single one, {@code local} for peers that come by something
 * that has no addresses, such as a Unix socket, or {@code all}.
 */
public final class Network {
    private static final String ALL = "all";
    private static final String LOCAL = "local";
    private static final Pattern V4 = Pattern.compile("[0-9]{1,3}(\\.[0-9]{1,3}){3}");
    private static final Pattern V6 = Pattern.compile("[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*");

    private final String text;
    private final byte[] base;
    private final int bits;

    private Network(String text, byte[] base, int bits) {
        this.text = text;
        this.base = base;
        this.bits = bits;
    }

    static Network parse(String text) {
        if (text.equals(ALL) || text.equals(LOCAL)) {
            return new Network(text, null, 0);
        }
        int slash = text.indexOf('/');
        byte[] base = literal(slash < 0 ? text : text.substring(0, slash)).getAddress();
        int length = base.length * Byte.SIZE;
        int bits = slash < 0 ? length : bits(text, text.substring(slash + 1), length);
        Network network = new Network(text, base, bits);
        if (!Arrays.equals(base, network.masked(base))) {
            throw new IllegalArgumentException("\"" + text + "\" has bits past its first " + bits + ": expected "
                    + address(network.masked(base)).getHostAddress() + "/" + bits);
        }
        return network;
    }

    private static int bits(String text, String digits, int most) {
        if (digits.matches("[0-9]{1,3}") && Integer.parseInt(digits) <= most) {
            return Integer.parseInt(digits);
        }
        throw new IllegalArgumentException("\"" + text + "\" has no length from 0 to " + most + " after the slash");
    }

    /** Reads an address without ever asking for a name. */
    static InetAddress literal(String text) {
        try {
            if (V4.matcher(text).matches() || V6.matcher(text).matches()) {
                return InetAddress.getByName(text);
            }
        } catch (UnknownHostException e) {
            // Told below.
        }
        throw new IllegalArgumentException("\"" + text
                + "\" is no address: expected one such as 10.0.0.0/8 or fd00::/8, all, or local for peers without one");
    }

    private static InetAddress address(byte[] bytes) {
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private byte[] masked(byte[] address) {
        byte[] masked = address.clone();
        for (int i = 0; i < masked.length; i++) {
            int kept = Math.max(0, Math.min(Byte.SIZE, bits - i * Byte.SIZE));
            masked[i] &= (byte) (0xFF << (Byte.SIZE - kept));
        }
        return masked;
    }

    /** @param address null for a peer that has none */
    boolean contains(InetAddress address) {
        if (base == null) {
            return text.equals(ALL) || address == null;
        }
        return address != null
                && address.getAddress().length == base.length
                && Arrays.equals(base, masked(address.getAddress()));
    }

    @Override
    public String toString() {
        return text;
    }
}
