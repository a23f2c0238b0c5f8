//! What is looked up when somebody asks: of the registry, the disk and the process.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use wargate_registry::Registry;

use super::catalogue::Catalogue;

/// Where to look.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) registry: Arc<Registry>,
    pub(crate) data_dir: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabel {
    version: &'static str,
}

#[derive(Debug)]
pub(super) struct Gauges {
    pending: Family<StateLabel, Gauge>,
    queue: Gauge,
    parked: Gauge,
    spooled: Gauge,
    log_length: Gauge,
    index_length: Gauge,
    checkpoint: Gauge,
    checkpoint_age: Gauge,
    database: Gauge,
    disk_free: Gauge,
    disk_size: Gauge,
    connections_max: Gauge,
    process: Process,
}

#[derive(Debug)]
struct Process {
    cpu: Counter<f64, AtomicU64>,
    resident: Gauge,
    open_files: Gauge,
    files_max: Gauge,
    threads: Gauge,
}

impl Gauges {
    pub(super) fn new(all: &mut Catalogue) -> Self {
        let build = Family::<VersionLabel, Gauge>::default();
        build.get_or_create(&VersionLabel { version: env!("CARGO_PKG_VERSION") }).set(1);
        all.family(
            "wargate_build_info",
            &["version"],
            "Always 1; the label says which program runs",
            build,
        );
        Self {
            pending: all.family(
                "wargate_records_pending",
                &["state"],
                "Records that were taken and are not in the log: `sourcing` wait for \
                 content, `ready` for the next commit, `rejected` are remembered for their \
                 publishers",
                Family::default(),
            ),
            queue: all.plain(
                "wargate_queue_commands",
                "What waits for the sequencer's next step",
                Gauge::default(),
            ),
            parked: all.plain(
                "wargate_uploads_parked",
                "Uploads that broke off and are kept for whoever goes on with them",
                Gauge::default(),
            ),
            spooled: all.plain(
                "wargate_uploads_spooled_bytes",
                "Bytes on the disk of uploads that are coming in or are parked",
                Gauge::default(),
            ),
            log_length: all.plain("wargate_log_length", "Records in the log", Gauge::default()),
            index_length: index_length(all),
            checkpoint: all.plain(
                "wargate_checkpoint_timestamp_seconds",
                "Time of the newest checkpoint, in seconds of the Unix epoch",
                Gauge::default(),
            ),
            checkpoint_age: all.plain(
                "wargate_checkpoint_age_seconds",
                "Age of the newest checkpoint by the registry's own clock",
                Gauge::default(),
            ),
            database: all.plain(
                "wargate_database_bytes",
                "Size of the database with its write-ahead log",
                Gauge::default(),
            ),
            disk_free: all.plain(
                "wargate_disk_free_bytes",
                "Bytes that the registry may still write where its data is",
                Gauge::default(),
            ),
            disk_size: all.plain(
                "wargate_disk_size_bytes",
                "Size of the file system where the data is",
                Gauge::default(),
            ),
            connections_max: all.plain(
                "wargate_connections_max",
                "Most connections at a time",
                Gauge::default(),
            ),
            process: Process::new(all),
        }
    }

    pub(super) fn set_connections_max(&self, most: usize) {
        self.connections_max.set(signed(most as u64));
    }

    /// Looks everything up. May block.
    pub(super) fn refresh(&self, source: &Source) {
        let load = source.registry.load();
        self.queue.set(signed(load.queued_commands));
        self.parked.set(signed(load.parked_uploads));
        self.spooled.set(signed(load.spooled_bytes));
        // What failed is logged and counted where the store is; the last value stands.
        if let Ok(counts) = source.registry.pending_counts() {
            let set = |state, count| {
                self.pending.get_or_create(&StateLabel { state }).set(signed(count));
            };
            set("sourcing", counts.sourcing);
            set("ready", counts.ready);
            set("rejected", counts.rejected);
        }
        let newest = source.registry.newest();
        let signed_at = signed(newest.checkpoint.contents.timestamp_seconds);
        self.log_length.set(signed(newest.committed.length().get()));
        if let Ok(length) = source.registry.indexed() {
            self.index_length.set(signed(length.get()));
        }
        self.checkpoint.set(signed_at);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.checkpoint_age.set(signed(now.as_secs()).saturating_sub(signed_at));
        let size =
            |name| std::fs::metadata(source.data_dir.join(name)).map_or(0, |file| file.len());
        self.database.set(signed(size("registry.db") + size("registry.db-wal")));
        #[cfg(unix)]
        if let Ok(disk) = rustix::fs::statvfs(&source.data_dir) {
            self.disk_free.set(signed(disk.f_bavail.saturating_mul(disk.f_frsize)));
            self.disk_size.set(signed(disk.f_blocks.saturating_mul(disk.f_frsize)));
        }
        self.process.refresh();
    }
}

fn index_length(all: &mut Catalogue) -> Gauge {
    all.plain(
        "wargate_index_length",
        "Records of the log that the index of dependencies knows",
        Gauge::default(),
    )
}

impl Process {
    fn new(all: &mut Catalogue) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = Gauge::<i64>::default();
        start.set(signed(now.as_secs()));
        all.plain(
            "process_start_time_seconds",
            "When the process began, in seconds of the Unix epoch",
            start,
        );
        Self {
            cpu: all.plain(
                "process_cpu_seconds",
                "Processor time that the process has used",
                Counter::default(),
            ),
            resident: all.plain(
                "process_resident_memory_bytes",
                "Memory that the process holds",
                Gauge::default(),
            ),
            open_files: all.plain(
                "process_open_fds",
                "File descriptors that are open",
                Gauge::default(),
            ),
            files_max: all.plain(
                "process_max_fds",
                "Most file descriptors that may be open",
                Gauge::default(),
            ),
            threads: all.plain("process_threads", "Threads of the process", Gauge::default()),
        }
    }

    #[cfg(target_os = "linux")]
    fn refresh(&self) {
        let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return };
        // The name in parentheses may have spaces.
        let Some((_, fields)) = stat.rsplit_once(") ") else { return };
        let fields: Vec<u64> =
            fields.split(' ').map(|field| field.parse().unwrap_or_default()).collect();
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or_default();
        let ticks = rustix::param::clock_ticks_per_second().max(1);
        let seconds = |count: u64| {
            let whole = u32::try_from(count / ticks).unwrap_or(u32::MAX);
            let part = u32::try_from(count % ticks).unwrap_or(0);
            f64::from(whole) + f64::from(part) / f64::from(u32::try_from(ticks).unwrap_or(100))
        };
        self.cpu.inner().store(seconds(field(14) + field(15)).to_bits(), Ordering::Relaxed);
        self.threads.set(signed(field(20)));
        let page = rustix::param::page_size() as u64;
        self.resident.set(signed(field(24).saturating_mul(page)));
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            // One of them is this very look.
            self.open_files.set(signed((files.count() as u64).saturating_sub(1)));
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        self.files_max.set(limit.current.map_or(i64::MAX, signed));
    }

    #[cfg(not(target_os = "linux"))]
    fn refresh(&self) {}
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
