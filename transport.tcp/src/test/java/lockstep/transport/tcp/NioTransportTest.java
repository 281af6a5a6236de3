package lockstep.transport.tcp;

class NioTransportTest extends TcpTransportTest {
    @Override
    SocketIo io() {
        return SocketIo.NIO;
    }
}
