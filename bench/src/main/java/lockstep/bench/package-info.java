/** Measures a primary and a standby against the limits of the machine they run on. */
package lockstep.bench;
