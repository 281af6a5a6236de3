/**
 * What the server is run in: the framework properties and services that the launcher gives it.
 */
package lockstep.server;
