//! A CPU profile while it is taken: all threads are interrupted in turn as they use the processor, and their stacks counted.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract::limits::PROFILE_SAMPLES_PER_SECOND;
use pprof::{ProfilerGuard, ProfilerGuardBuilder, Report};
use tempfile::NamedTempFile;

use crate::encode::{Place, Stack, Timing, encode};

/// Where no stack is taken: whoever is interrupted there may hold a lock that walking the stack needs.
const NOT_IN: [&str; 4] = ["libc", "libgcc", "pthread", "vdso"];

/// Where files can be written when nowhere else (shm_overview(7)).
const SHARED_MEMORY: &str = "/dev/shm";

/// Frames in which whoever walks a stack may be.
const PROFILER_FRAMES_MAX: usize = 8;

/// True while a profile is taken: the process has one timer for it.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// A profile that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum CannotProfile {
    /// One is taken already.
    #[error("a profile is being taken; ask again when it is done")]
    Busy,
    /// There is no file for what finds no room in memory.
    #[error("there is no folder for temporary files that can be written to: set TMPDIR and start again")]
    NoRoom,
    /// The system does not let it.
    #[error("{0}")]
    System(String),
}

/// A profile that is being taken. Dropped, it ends and is forgotten.
pub struct Profile {
    // ends before the next may begin
    guard: ProfilerGuard<'static>,
    _turn: Turn,
}

/// The right to take one.
struct Turn;

impl Drop for Turn {
    fn drop(&mut self) {
        TAKEN.store(false, Ordering::Release);
    }
}

impl Profile {
    /// Begins. Takes some milliseconds of the caller's time.
    pub fn begin() -> Result<Self, CannotProfile> {
        if TAKEN.swap(true, Ordering::AcqRel) {
            return Err(CannotProfile::Busy);
        }
        let turn = Turn;
        find_room();
        let builder = ProfilerGuardBuilder::default().frequency(PROFILE_SAMPLES_PER_SECOND.into()).blocklist(&NOT_IN);
        let guard = builder.build().map_err(|error| match error {
            // it is tried once in the life of a process
            pprof::Error::CreatingError => CannotProfile::NoRoom,
            other => CannotProfile::System(other.to_string()),
        })?;
        Ok(Self { guard, _turn: turn })
    }

    /// True while one is taken, or begun with.
    pub fn is_taken() -> bool {
        TAKEN.load(Ordering::Acquire)
    }

    /// Ends, and tells it in pprof's format, as it is sent: a message without compression. Names functions, so it takes seconds
    /// and belongs on a thread of its own.
    pub fn finish(self) -> Result<Vec<u8>, CannotProfile> {
        let report = self.guard.report().build().map_err(|error| CannotProfile::System(error.to_string()))?;
        drop(self);
        let timing = Timing {
            begun: report.timing.start_time,
            took: report.timing.duration,
            period: Duration::from_secs(1) / u32::from(PROFILE_SAMPLES_PER_SECOND),
        };
        Ok(encode(&stacks(&report), &timing))
    }
}

/// Stacks that find no room in memory go to a temporary file. Where the usual folder takes none, as in a container whose file
/// system is read-only or has no `/tmp`, they go to the memory that each container has.
fn find_room() {
    if NamedTempFile::new().is_err() && NamedTempFile::new_in(SHARED_MEMORY).is_ok() {
        // it is said already if this is not the first profile
        let _ = tempfile::env::override_temp_dir(Path::new(SHARED_MEMORY));
    }
}

/// What was counted, in an order that depends on nothing else.
fn stacks(report: &Report) -> Vec<Stack> {
    let place = |symbol: &pprof::Symbol| Place {
        function: symbol.name(),
        symbol: symbol.sys_name().into_owned(),
        file: symbol.filename().into_owned(),
        line: symbol.lineno(),
    };
    let frames = |frames: &pprof::Frames| -> Vec<Vec<Place>> {
        let all = frames.frames.iter().map(|frame| frame.iter().map(place).collect()).collect();
        without_profiler(all)
    };
    let counted = report.data.iter().map(|(key, count)| Stack {
        thread: key.thread_name_or_id(),
        frames: frames(key),
        count: i64::try_from(*count).unwrap_or(i64::MAX),
    });
    counted.collect()
}

/// The frames of the program: the innermost ones are those of whoever walks the stack.
fn without_profiler(mut frames: Vec<Vec<Place>>) -> Vec<Vec<Place>> {
    let is_own = |place: &Place| {
        let (function, file) = (&place.function, &place.file);
        function.contains("pprof::backtrace")
            || function.starts_with("backtrace::")
            || ["/pprof-0.", "/backtrace-0."].iter().any(|package| file.contains(package))
    };
    let innermost = &frames[..frames.len().min(PROFILER_FRAMES_MAX)];
    let own = innermost.iter().rposition(|frame| frame.iter().any(is_own)).map_or(0, |last| last + 1);
    frames.drain(..own);
    frames
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use prost::Message as _;

    use super::*;
    use crate::message;

    /// Uses the processor for as long as some samples take: by work, since others may use it too.
    #[inline(never)]
    fn busy_with_nothing() -> u64 {
        (0..100_000_000).fold(0_u64, |sum, number| black_box(sum.rotate_left(5) ^ number))
    }

    #[test]
    fn who_uses_the_processor_stands_in_the_profile_and_one_is_taken_at_a_time() {
        let profile = Profile::begin().unwrap();
        assert!(matches!(Profile::begin(), Err(CannotProfile::Busy)));
        let thread = std::thread::Builder::new().name("at-work".to_owned());
        let worked = thread.spawn(busy_with_nothing).unwrap().join();
        black_box(worked.unwrap());
        let read = message::Profile::decode(&profile.finish().unwrap()[..]).unwrap();
        let text = |at: i64| read.string_table[usize::try_from(at).unwrap()].as_str();
        assert!(read.function.iter().any(|function| text(function.name).contains("busy_with_nothing")));
        assert!(read.sample.iter().any(|sample| text(sample.label[0].str) == "at-work" && sample.value[0] > 0));
        let location = |id: u64| read.location.iter().find(|location| location.id == id).unwrap();
        let innermost = read.sample.iter().filter_map(|sample| sample.location_id.first()).map(|id| location(*id));
        let names = innermost.flat_map(|location| &location.line).map(|line| {
            let function = &read.function[usize::try_from(line.function_id).unwrap() - 1];
            (text(function.name), text(function.filename))
        });
        for (name, file) in names {
            assert!(!name.contains("pprof::backtrace") && !file.contains("/backtrace-0."), "{name} in {file}");
        }
        drop(Profile::begin().unwrap());
    }
}
