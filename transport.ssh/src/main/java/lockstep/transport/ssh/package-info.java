/**
 * Sessions over SSH. {@link lockstep.transport.ssh.SshTransport} is the component, {@link
 * lockstep.transport.ssh.SshEndpoint} tells where one can listen and connect, {@link lockstep.transport.ssh.SshSession}
 * is one session, whatever carries its bytes: a channel of JSch on the side that connects ({@link
 * lockstep.transport.ssh.ClientLink}), and on the other a channel of the embedded server or a socket that an SSH server
 * on the same machine forwards to.
 */
package lockstep.transport.ssh;
