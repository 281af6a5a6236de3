package lockstep.transport.tcp;

import lockstep.transport.netty.SocketIo;

class NioTransportTest extends TcpTransportTest {
    @Override
    SocketIo io() {
        return SocketIo.NIO;
    }
}
