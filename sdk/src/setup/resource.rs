//! Who the service is: what code says, what the environment says, what the machine knows.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::Resource;

/// The resource, the most specific source winning: code, `OTEL_SERVICE_NAME` and
/// `OTEL_RESOURCE_ATTRIBUTES`, detection.
pub(super) fn detect(code: Vec<KeyValue>) -> Resource {
    // The builder asks OpenTelemetry's own detectors: environment, service name, SDK.
    let told = Resource::builder().with_attributes(code).build();
    let detected = detected()
        .into_iter()
        .filter(|attribute| told.get_ref(&attribute.key).is_none());
    let told_attributes = told
        .iter()
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    Resource::builder_empty()
        .with_attributes(detected.chain(told_attributes).collect::<Vec<_>>())
        .build()
}

/// What can be known without being told.
fn detected() -> Vec<KeyValue> {
    let program = std::env::current_exe().ok();
    let program = program.as_ref().and_then(|path| path.file_name()?.to_str());
    let mut attributes = vec![
        KeyValue::new("service.instance.id", random_uuid()),
        KeyValue::new("process.pid", i64::from(std::process::id())),
        KeyValue::new("process.runtime.name", "rust"),
        KeyValue::new("os.type", os_type(std::env::consts::OS)),
        KeyValue::new("host.arch", host_arch(std::env::consts::ARCH)),
    ];
    let known = [
        ("process.executable.name", program.map(str::to_owned)),
        ("host.name", host_name()),
        ("container.id", container_id()),
    ];
    attributes.extend(
        known
            .into_iter()
            .filter_map(|(key, value)| Some(KeyValue::new(Key::from(key), Value::from(value?)))),
    );
    attributes
}

/// The conventions' words for operating systems that Rust names otherwise.
fn os_type(os: &'static str) -> &'static str {
    match os {
        "macos" | "ios" => "darwin",
        other => other,
    }
}

/// The conventions' words for processors that Rust names otherwise.
fn host_arch(arch: &'static str) -> &'static str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "arm" => "arm32",
        "powerpc64" => "ppc64",
        "powerpc" => "ppc32",
        other => other,
    }
}

fn host_name() -> Option<String> {
    let read = |path| std::fs::read_to_string(path).ok();
    read("/proc/sys/kernel/hostname")
        .or_else(|| read("/etc/hostname"))
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
}

fn container_id() -> Option<String> {
    let read = |path| std::fs::read_to_string(path).ok();
    read("/proc/self/cgroup")
        .and_then(|groups| container_in(&groups))
        .or_else(|| read("/proc/self/mountinfo").and_then(|mounts| container_in(&mounts)))
}

/// The first run of 64 hex digits on a line about containers: cgroup v1 paths end in it, cgroup v2
/// shows it in the mounts of the container's own files.
fn container_in(text: &str) -> Option<String> {
    text.lines()
        .filter(|line| {
            let about = [
                "docker",
                "containers",
                "kubepods",
                "containerd",
                "crio",
                "libpod",
            ];
            about.iter().any(|word| line.contains(word))
        })
        .flat_map(|line| line.split(|c: char| !c.is_ascii_hexdigit()))
        .find(|run| run.len() == 64)
        .map(str::to_owned)
}

/// A random UUID (RFC 9562, version 4), from the seeds of the standard library's hash maps.
fn random_uuid() -> String {
    let half = || RandomState::new().build_hasher().finish();
    let high = (half() & !0xf000) | 0x4000;
    let low = (half() & !(0b11 << 62)) | (0b10 << 62);
    let hex = format!("{high:016x}{low:016x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_an_id_of_its_own() {
        let (one, two) = (random_uuid(), random_uuid());
        assert_ne!(one, two);
        assert_eq!((one.len(), one.as_bytes()[14]), (36, b'4'));
        assert!(matches!(one.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }

    #[test]
    fn a_container_is_found_in_both_kinds_of_cgroups() {
        let id = "a".repeat(64);
        let v1 = format!("12:memory:/docker/{id}\n");
        let v2 = format!("9 8 0:1 /var/lib/docker/containers/{id}/hostname /etc/hostname rw\n");
        assert_eq!(container_in(&v1), Some(id.clone()));
        assert_eq!(container_in(&v2), Some(id.clone()));
        assert_eq!(container_in(&format!("1:x:/user.slice/{id}")), None);
    }

    #[test]
    fn code_wins_and_detection_fills_the_gaps() {
        let resource = detect(vec![
            KeyValue::new("service.name", "orders"),
            KeyValue::new("service.instance.id", "orders-1"),
        ]);
        let get = |key| {
            resource
                .get(&Key::from_static_str(key))
                .map(|v| v.to_string())
        };
        assert_eq!(get("service.name").as_deref(), Some("orders"));
        assert_eq!(get("service.instance.id").as_deref(), Some("orders-1"));
        assert_eq!(get("telemetry.sdk.language").as_deref(), Some("rust"));
        assert_eq!(get("process.pid"), Some(std::process::id().to_string()));
    }
}
