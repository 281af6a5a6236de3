package lockstep.security;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.concurrent.TimeUnit;
import lockstep.io.Clock;
import org.junit.jupiter.api.Test;

class WrongPasswordsTest {
    private long nanos;

    private final WrongPasswords wrong = new WrongPasswords(new Clock() {
        @Override
        public long nanos() {
            return nanos;
        }

        @Override
        public long micros() {
            return TimeUnit.NANOSECONDS.toMicros(nanos);
        }
    });

    private static InetAddress at(String address) throws UnknownHostException {
        return InetAddress.getByName(address);
    }

    @Test
    void eachWrongPasswordDoublesTheWaitUpToABoundAndOneThatIsRightEndsIt() throws UnknownHostException {
        InetAddress guesser = at("10.0.0.1");
        for (long expected : new long[] {0, 100, 200, 400, 800, 1600, 2000, 2000}) {
            assertEquals(expected, wrong.delayMs(guesser));
            wrong.wrong(guesser);
        }
        assertEquals(0, wrong.delayMs(at("10.0.0.2")));
        wrong.right(guesser);
        assertEquals(0, wrong.delayMs(guesser));
    }

    @Test
    void anAddressIsForgottenAfterAWhileAndCountsFromTheBeginning() throws UnknownHostException {
        InetAddress guesser = at("10.0.0.1");
        wrong.wrong(guesser);
        wrong.wrong(guesser);
        nanos += TimeUnit.MINUTES.toNanos(WrongPasswords.FORGET_MINUTES);
        assertEquals(200, wrong.delayMs(guesser));
        nanos++;
        assertEquals(0, wrong.delayMs(guesser));
        wrong.wrong(guesser);
        assertEquals(100, wrong.delayMs(guesser));
    }

    @Test
    void ofIpv6TheNetworkCounts() throws UnknownHostException {
        wrong.wrong(at("2001:db8:1:2:3::4"));
        assertEquals(100, wrong.delayMs(at("2001:db8:1:2:ffff::1")));
        assertEquals(0, wrong.delayMs(at("2001:db8:1:3:3::4")));
    }

    @Test
    void noMoreThanTheLatestAddressesAreKept() throws UnknownHostException {
        wrong.wrong(at("10.1.0.0"));
        wrong.wrong(at("10.1.0.1"));
        wrong.wrong(at("10.1.0.0"));
        for (int i = 2; i <= WrongPasswords.MAX_ADDRESSES; i++) {
            wrong.wrong(at("10.1." + i / 256 + "." + i % 256));
        }
        assertEquals(200, wrong.delayMs(at("10.1.0.0")));
        assertEquals(0, wrong.delayMs(at("10.1.0.1")));
        assertEquals(100, wrong.delayMs(at("10.1.0.2")));
    }
}
