//! The limit of memory that the cgroups of this process set, of version 2 or 1, and what is used of it.

use std::fs;
use std::path::{Path, PathBuf};

/// A limit at or above this means none: version 1 says it by the largest number of pages.
const UNLIMITED: u64 = 1 << 60;
/// Levels of cgroups that are looked at.
const LEVELS_MAX: usize = 64;
/// The size of a page where the kernel counts in pages (`/proc/self/statm`), octets.
const PAGE: u64 = 4 << 10;

/// A limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Octets.
    pub octets: u64,
    usage: Usage,
}

/// Where it is told what is used of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Usage {
    /// The folder of the cgroup that has the limit.
    folder: PathBuf,
    version: Version,
    /// `/proc/self/statm`, for a cgroup that does not tell.
    own: PathBuf,
}

/// How the two versions name things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Two,
    One,
}

impl Version {
    fn limit(self) -> &'static str {
        match self {
            Self::Two => "memory.max",
            Self::One => "memory.limit_in_bytes",
        }
    }

    fn used(self) -> &'static str {
        match self {
            Self::Two => "memory.current",
            Self::One => "memory.usage_in_bytes",
        }
    }

    fn events(self) -> &'static str {
        match self {
            Self::Two => "memory.events",
            Self::One => "memory.oom_control",
        }
    }

    /// Pages of files that nobody uses: the kernel takes them back before it runs short.
    fn inactive(self) -> &'static str {
        match self {
            Self::Two => "inactive_file",
            Self::One => "total_inactive_file",
        }
    }
}

impl Limit {
    /// The lowest limit of the cgroups that this process is in, all the way up; `None` if there is none, or nothing can be
    /// read. `root` is `/`, but for tests.
    pub fn find(root: &Path) -> Option<Self> {
        Self::of(root, "self")
    }

    /// The same of another process, by its number in `/proc`.
    pub fn of(root: &Path, process: &str) -> Option<Self> {
        let folder = root.join("proc").join(process);
        let cgroups = fs::read_to_string(folder.join("cgroup")).ok()?;
        let mounts = fs::read_to_string(root.join("proc/self/mountinfo")).ok()?;
        let own = folder.join("statm");
        let hierarchies = mounts.lines().filter_map(Mount::read).filter_map(|mount| {
            let path = path_of(&cgroups, mount.version)?;
            Some((mount, path))
        });
        let folders = hierarchies.flat_map(|(mount, path)| {
            let (top, version) = (under(root, mount.at), mount.version);
            levels(&top, mount.inside(path)).map(move |folder| (folder, version))
        });
        let limits = folders.filter_map(|(folder, version)| {
            let octets = number(&fs::read_to_string(folder.join(version.limit())).ok()?)?;
            Some(Self { octets, usage: Usage { folder, version, own: own.clone() } })
        });
        limits.min_by_key(|limit| limit.octets)
    }

    /// The same limit as it is now: a pod may be given more or less while it runs.
    pub fn renewed(self) -> Self {
        let told = fs::read_to_string(self.usage.folder.join(self.usage.version.limit())).ok();
        let octets = told.map_or(Some(self.octets), |text| number(&text));
        Self { octets: octets.unwrap_or(UNLIMITED), ..self }
    }

    /// How many processes the kernel has killed for it; `None` if it does not tell.
    pub fn kills(&self) -> Option<u64> {
        let text = fs::read_to_string(self.usage.folder.join(self.usage.version.events())).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
    }

    /// Octets that count against it and cannot be had back for the asking; `None` if nobody tells.
    pub fn used(&self) -> Option<u64> {
        self.usage.of_group().or_else(|| self.usage.resident())
    }
}

impl Usage {
    fn of_group(&self) -> Option<u64> {
        let read = |name| fs::read_to_string(self.folder.join(name)).ok();
        let used: u64 = read(self.version.used())?.trim().parse().ok()?;
        let stat = read("memory.stat")?;
        let inactive = stat.lines().find_map(|line| line.strip_prefix(self.version.inactive())?.trim().parse().ok());
        Some(used.saturating_sub(inactive.unwrap_or(0)))
    }

    /// What this process holds, if the cgroup does not tell.
    fn resident(&self) -> Option<u64> {
        let pages: u64 = fs::read_to_string(&self.own).ok()?.split_whitespace().nth(1)?.parse().ok()?;
        pages.checked_mul(PAGE)
    }
}

/// The limit that a file says; `None` for none.
fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|&octets| octets < UNLIMITED) // "max" is no number
}

/// A mounted hierarchy of cgroups that may limit memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mount<'t> {
    /// The path that is mounted: all of the hierarchy, or the container's own part.
    root: &'t str,
    at: &'t str,
    version: Version,
}

impl<'t> Mount<'t> {
    /// A line of mountinfo (proc(5)): numbers, root, mount point, options, tags, a dash, type, source, options.
    fn read(line: &'t str) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, at) = (place.next()?, place.next()?);
        let mut kind = kind.split(' ');
        let version = match (kind.next()?, kind.nth(1)?) {
            ("cgroup2", _) => Version::Two,
            ("cgroup", options) if options.split(',').any(|option| option == "memory") => Version::One,
            _ => return None,
        };
        Some(Self { root, at, version })
    }

    /// The path of a cgroup below the mount point. A container whose own part is mounted may see the path from outside.
    fn inside<'p>(&self, path: &'p str) -> &'p str {
        match path.strip_prefix(self.root.trim_end_matches('/')) {
            Some(inside) if inside.is_empty() || inside.starts_with('/') => inside,
            _ => "",
        }
    }
}

/// The path of this process's cgroup: of version 2 in the line `0::PATH`, of version 1 in that of the controller `memory`.
fn path_of(cgroups: &str, version: Version) -> Option<&str> {
    cgroups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let own = match version {
            Version::Two => controllers.is_empty(),
            Version::One => controllers.split(',').any(|controller| controller == "memory"),
        };
        own.then_some(path)
    })
}

/// The folder of a cgroup and those above it, up to the mount point.
fn levels(top: &Path, inside: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let names = inside.split('/').filter(|name| !name.is_empty() && *name != "." && *name != "..");
    let mut folder = top.to_path_buf();
    let mut folders = vec![folder.clone()];
    for name in names.take(LEVELS_MAX) {
        folder.push(name);
        folders.push(folder.clone());
    }
    folders.into_iter()
}

fn under(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests;
