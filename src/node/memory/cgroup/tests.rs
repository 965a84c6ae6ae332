//! Hosts as files: where the lowest limit stands, and what is used of it.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A root of files, gone at the end.
struct Host(PathBuf);

impl Host {
    fn with(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("nearpath-cgroup-{}-{number}", std::process::id()));
        for (path, text) in files {
            let path = under(&root, path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(root)
    }

    fn limit(&self) -> Option<Limit> {
        Limit::find(&self.0)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

const TWO: &str = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
const ONE: &str = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
                   36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";

#[test]
fn of_version_two_the_lowest_limit_on_the_way_up_counts() {
    let host = Host::with(&[
        ("proc/self/cgroup", "0::/kubepods/pod1/box\n"),
        ("proc/self/mountinfo", TWO),
        ("sys/fs/cgroup/kubepods/memory.max", "max\n"),
        ("sys/fs/cgroup/kubepods/pod1/memory.max", "30000000\n"),
        ("sys/fs/cgroup/kubepods/pod1/memory.current", "20000000\n"),
        ("sys/fs/cgroup/kubepods/pod1/memory.stat", "anon 5\ninactive_file 1500000\nactive_file 7\n"),
        ("sys/fs/cgroup/kubepods/pod1/box/memory.max", "170000000\n"),
    ]);
    let limit = host.limit().unwrap();
    assert_eq!((limit.octets, limit.used()), (30_000_000, Some(18_500_000)));
    let file = host.0.join("sys/fs/cgroup/kubepods/pod1/memory.max");
    fs::write(&file, "40000000\n").unwrap();
    let limit = limit.renewed();
    assert_eq!(limit.octets, 40_000_000, "it was changed while we run");
    fs::write(&file, "max\n").unwrap();
    let limit = limit.renewed();
    assert!(limit.octets > 1 << 50);
    fs::remove_file(&file).unwrap();
    assert_eq!(limit.clone().renewed(), limit, "what cannot be read stays");
}

#[test]
fn of_version_one_likewise_and_without_its_own_word_the_process_counts() {
    let host = Host::with(&[
        ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/1\n0::/\n"),
        ("proc/self/mountinfo", ONE),
        ("proc/self/statm", "5000 1000 500 100 0 900 0\n"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "31457280\n"),
    ]);
    let limit = host.limit().unwrap();
    assert_eq!((limit.octets, limit.used()), (31_457_280, Some(4_096_000)));
}

#[test]
fn in_a_container_the_mounted_part_is_the_top() {
    let inside = "35 31 0:32 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
    let host = Host::with(&[
        ("proc/self/cgroup", "4:memory:/docker/1\n"),
        ("proc/self/mountinfo", inside),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "50000000\n"),
    ]);
    assert_eq!(host.limit().unwrap().octets, 50_000_000);
    let own_namespace = Host::with(&[
        ("proc/self/cgroup", "0::/\n"),
        ("proc/self/mountinfo", TWO),
        ("sys/fs/cgroup/memory.max", "60000000\n"),
    ]);
    assert_eq!(own_namespace.limit().unwrap().octets, 60_000_000);
}

#[test]
fn the_lower_of_both_versions_counts() {
    let host = Host::with(&[
        ("proc/self/cgroup", "4:memory:/a\n0::/b\n"),
        ("proc/self/mountinfo", &format!("{TWO}{ONE}")),
        ("sys/fs/cgroup/b/memory.max", "80000000\n"),
        ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "70000000\n"),
    ]);
    assert_eq!(host.limit().unwrap().octets, 70_000_000);
}

#[test]
fn without_a_limit_or_with_nonsense_there_is_none() {
    for (cgroup, mounts, max) in [
        ("0::/a\n", TWO, "max\n"),
        ("0::/a\n", TWO, "-5\n"),
        ("0::/a\n", TWO, "99999999999999999999999\n"),
        ("0::/../../a\n", "no mount\n - \n1 2 3 - cgroup2\n", "1000\n"),
        ("nonsense\n:\n::\n", TWO, "max\n"),
        ("", "", "1000\n"),
    ] {
        let host = Host::with(&[
            ("proc/self/cgroup", cgroup),
            ("proc/self/mountinfo", mounts),
            ("sys/fs/cgroup/a/memory.max", max),
        ]);
        assert_eq!(host.limit(), None, "{cgroup:?} {mounts:?} {max:?}");
    }
    assert_eq!(Limit::find(Path::new("/nowhere")), None);
}
