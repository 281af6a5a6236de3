/**
 * Sessions over TCP sockets, {@code @name@://HOST:PORT}. {@link @package@.@Name@Transport} is the component that the
 * server finds, {@link @package@.@Name@Address} the one place that knows which kind of socket is used.
 */
package @package@;
