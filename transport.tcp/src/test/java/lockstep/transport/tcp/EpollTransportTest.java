package lockstep.transport.tcp;

import lockstep.transport.netty.SocketIo;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class EpollTransportTest extends TcpTransportTest {
    @Override
    SocketIo io() {
        return SocketIo.EPOLL;
    }
}
