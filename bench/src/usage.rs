//! CPU time and memory of processes, and the conditions of a measurement.

use chrono::Utc;
use serde::Serialize;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};
use tokio_postgres::Client;

use local_database::{Error, Result};

/// A set of processes.
#[derive(Clone, Debug)]
pub(crate) struct Processes(Vec<Pid>);

impl Processes {
    pub(crate) fn of(ids: &[u32]) -> Self {
        Self(ids.iter().copied().map(Pid::from_u32).collect())
    }

    /// All processes of the database server of a connection. The server must be on this machine.
    pub(crate) async fn of_server(connection: &Client) -> Result<Self> {
        let row = connection.query_typed_one("select pg_backend_pid()", &[]).await;
        let not_found = |why: String| {
            Error::new(format!("cannot find the processes of the database: {why}"), "run the database on this machine")
        };
        let backend: i32 = row.map_err(|error| not_found(error.to_string()))?.get(0);
        let system = read_system(ProcessesToUpdate::All, ProcessRefreshKind::nothing());
        let postmaster = system.process(Pid::from_u32(backend.unsigned_abs())).and_then(sysinfo::Process::parent);
        let postmaster = postmaster.ok_or_else(|| not_found(format!("no process {backend}")))?;
        let is_its =
            |process: &sysinfo::Process| process.parent() == Some(postmaster) && process.thread_kind().is_none();
        let children = system.processes().iter().filter(|(_, process)| is_its(process)).map(|(id, _)| *id);
        Ok(Self(children.chain([postmaster]).collect()))
    }

    /// CPU time of each process so far.
    pub(crate) fn cpu(&self) -> Cpu {
        let system = read_system(ProcessesToUpdate::Some(&self.0), ProcessRefreshKind::nothing().with_cpu());
        let of = |id: &Pid| system.process(*id).map_or(0, sysinfo::Process::accumulated_cpu_time);
        Cpu(self.0.iter().map(of).collect())
    }

    /// Resident memory of all processes together.
    pub(crate) fn resident_mib(&self) -> f64 {
        let system = read_system(ProcessesToUpdate::Some(&self.0), ProcessRefreshKind::nothing().with_memory());
        let of = |id: &Pid| system.process(*id).map_or(0, sysinfo::Process::memory);
        self.0.iter().map(of).sum::<u64>() as f64 / 1_024.0 / 1_024.0
    }
}

/// CPU time of each process in milliseconds, summed over all cores.
pub(crate) struct Cpu(Vec<u64>);

impl Cpu {
    /// CPU time since an earlier reading of the same processes. A process that has ended, such as an autovacuum worker,
    /// counts as 0.
    pub(crate) fn seconds_since(&self, before: &Self) -> f64 {
        self.0.iter().zip(&before.0).map(|(now, before)| now.saturating_sub(*before)).sum::<u64>() as f64 / 1_000.0
    }
}

fn read_system(processes: ProcessesToUpdate<'_>, kind: ProcessRefreshKind) -> System {
    let mut system = System::new();
    system.refresh_processes_specifics(processes, false, kind);
    system
}

/// Conditions of a measurement: date, machine and versions.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Conditions {
    pub date: String,
    pub processor: String,
    pub cores: usize,
    pub memory_gib: f64,
    pub system: String,
    pub postgres: String,
}

impl Conditions {
    /// Reads the current conditions.
    pub(crate) async fn read(connection: &Client) -> Result<Self> {
        let version = connection.query_typed_one("select current_setting('server_version')", &[]).await;
        let version = version.map_err(|error| Error::new(error.to_string(), "check that the database is running"))?;
        let kind = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        let system = System::new_with_specifics(kind);
        let processor = system.cpus().first().map_or("unknown", |processor| processor.brand());
        Ok(Self {
            date: Utc::now().format("%Y-%m-%d").to_string(),
            processor: processor.trim().to_owned(),
            cores: system.cpus().len(),
            memory_gib: system.total_memory() as f64 / 1_024.0 / 1_024.0 / 1_024.0,
            system: System::long_os_version().unwrap_or_default(),
            postgres: version.get(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_time_and_memory() {
        let this = Processes::of(&[std::process::id()]);
        let before = this.cpu();
        let begun = std::time::Instant::now();
        while begun.elapsed().as_millis() < 100 {
            std::hint::black_box(&before);
        }
        let used = this.cpu().seconds_since(&before);
        assert!(used > 0.0 && used < 60.0, "{used}");
        assert!(this.cpu().seconds_since(&Cpu(vec![u64::MAX])) < f64::EPSILON, "a process that has ended");
        assert!(this.resident_mib() > 0.5, "{}", this.resident_mib());
    }
}
