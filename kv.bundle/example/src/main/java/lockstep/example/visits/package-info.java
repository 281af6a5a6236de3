/** A client that is installed in a running server, and uses it through its exported services alone. */
package lockstep.example.visits;
