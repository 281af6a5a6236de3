/** A transport bundle that is not right, made for tests to install in a running server. */
package lockstep.defect;
