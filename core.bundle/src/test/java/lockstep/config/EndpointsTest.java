package lockstep.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import lockstep.transport.api.Endpoint;
import org.junit.jupiter.api.Test;

class EndpointsTest {
    private static List<String> uris(String text) {
        return Endpoints.primaryConninfo(text).stream()
                .map(Endpoint::uri)
                .map(Object::toString)
                .toList();
    }

    @Test
    void endpointsAreDividedByCommasOrBlanks() {
        assertEquals(List.of("tcp://a:1", "ssh://u@b:2/p", "tcp://c:3"), uris(" tcp://a:1, ssh://u@b:2/p tcp://c:3 ,"));
        assertEquals(List.of(), uris(" "));
    }

    @Test
    void aCommaWithinAnEndpointDividesHosts() {
        assertEquals(List.of("postgresql://u@a:1,b:2/?x=y", "tcp://c:3"), uris("postgres://u@a:1,b:2/?x=y, tcp://c:3"));
    }

    @Test
    void pairsOfNameAndValueAreOneEndpoint() {
        assertEquals(
                List.of("postgresql:///?host=a,b&user=rep&password=a%27b%20%5C%26c&port=1".replace("a,b", "a%2Cb")),
                uris("host=a,b user = rep password='a\\'b \\\\&c' port=1"));
    }

    @Test
    void whatMakesNoSenseIsRefusedWithoutThePassword() {
        String message = assertThrows(
                        IllegalArgumentException.class, () -> Endpoints.primaryConninfo("host=a password=geheim 'x"))
                .getMessage();
        assertFalse(message.contains("geheim"), message);
        message = assertThrows(IllegalArgumentException.class, () -> Endpoints.primaryConninfo("tcp://u:geheim@a b^c"))
                .getMessage();
        assertFalse(message.contains("geheim"), message);
    }
}
