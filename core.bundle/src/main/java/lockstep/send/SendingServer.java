package lockstep.send;

import java.io.IOException;
import lockstep.recovery.ControlFile;
import lockstep.rmgr.BackupSink;

/** What the senders ask of the server they send from. Thread-safe. */
public interface SendingServer {
    /** Returns the control file as it stands on the disk. */
    ControlFile control();

    /** Takes a checkpoint, so that a base backup that begins now needs little WAL; returns when it is on the disk. */
    void checkpoint() throws IOException;

    /** Sends the files of all resource managers. */
    void backup(BackupSink sink) throws IOException;

    /** Tells that a standby's position, state or presence has changed: commits may be released. */
    void standbyProgressed();
}
