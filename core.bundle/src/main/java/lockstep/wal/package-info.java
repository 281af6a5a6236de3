/**
 * The log itself: its bytes ({@link lockstep.wal.WalLayout}, {@link lockstep.wal.PageHeader}, {@link
 * lockstep.wal.RecordHeader}), what a committing thread does (insert into the buffers), the one writer, and the segment
 * files. {@link lockstep.wal.Wal} puts them together.
 */
@Export
@Version("1.0.0")
package lockstep.wal;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
