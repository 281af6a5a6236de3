/**
 * The command line: starts a server in a framework, and talks to one that runs. Plain classes, outside the framework;
 * they share nothing with the bundles but the protocol of the attach channel.
 */
package lockstep.launcher;
