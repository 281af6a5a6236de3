package lockstep.transport.tck;

import java.util.Optional;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Transport;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/** The kit, put to a sample transport that has the defect of which the configuration parameter tells. */
@ExtendWith(SampleContract.DefectFromConfiguration.class)
class SampleContract extends TransportContract {
    static final String DEFECT = "defect";

    private final SampleNet net = new SampleNet();
    private final Defect defect;

    SampleContract(Defect defect) {
        this.defect = defect;
    }

    static final class DefectFromConfiguration implements ParameterResolver {
        @Override
        public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
            return parameter.getParameter().getType() == Defect.class;
        }

        @Override
        public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
            return context.getConfigurationParameter(DEFECT, Defect::valueOf).orElse(Defect.NONE);
        }
    }

    @Override
    protected Transport create() {
        return new SampleTransport(net, defect);
    }

    @Override
    protected void withdraw(Transport transport) {
        if (transport != null) {
            ((SampleTransport) transport).close();
        }
    }

    @Override
    protected Endpoint anywhere() {
        return net.anywhere();
    }

    @Override
    protected Endpoint nowhere() {
        return net.anywhere();
    }

    @Override
    protected Optional<Wire> wire(Endpoint listening) {
        return Optional.of(new SampleWire(net, listening));
    }

    @Override
    protected int reconnects() {
        return 50;
    }

    @Override
    protected long bulkBytes() {
        return 8 << 20;
    }
}
