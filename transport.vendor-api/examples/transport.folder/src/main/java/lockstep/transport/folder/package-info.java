/**
 * Sessions through a folder that both servers can write to, {@code folder:///PATH}: messages are handed over as files, and
 * so are the acknowledgements. For links where nothing else passes, such as a mounted object store; written against the
 * published contract and the JDK. {@link lockstep.transport.folder.FolderTransport} is the component, {@link
 * lockstep.transport.folder.FolderSession} tells what the files are.
 */
package lockstep.transport.folder;
