/**
 * What a client of the attach channel and the server say to each other. The launcher carries a copy of this package, so
 * it depends on nothing but the JDK.
 */
package lockstep.shell.wire;
