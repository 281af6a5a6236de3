/**
 * Where the parameters come from and where they go: the files, the declarations in the bundles, and ConfigAdmin.
 */
package lockstep.config.files;
