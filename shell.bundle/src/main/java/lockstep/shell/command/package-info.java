/**
 * The commands of the shell, scope {@code lockstep}. They present what the services of this server know and do; nothing
 * is decided here. Each component holds the commands of one theme, {@link lockstep.shell.command.LocalServer} finds the
 * services for all of them, and {@link lockstep.shell.command.Fields} is the one form in which results leave.
 */
package lockstep.shell.command;
