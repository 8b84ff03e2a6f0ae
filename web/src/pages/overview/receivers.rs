//! Where OTLP is received, as somebody who sends has to write it.

use std::net::SocketAddr;

/// What the first page tells of where and how to send.
#[derive(Debug, Clone, Default)]
pub struct Receivers {
    /// OTLP/gRPC, if it is served.
    pub grpc: Option<Receiver>,
    /// OTLP/HTTP, if it is served.
    pub http: Option<Receiver>,
    /// Path of traces over HTTP, with its slash.
    pub traces_path: String,
    /// What lets a request in, if not everybody may send.
    pub credential: Option<Credential>,
    /// The name or address this page was asked for by, without its port.
    pub asked_host: Option<String>,
}

/// One receiver.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    /// As it is bound: `127.0.0.1:4317`, `unix:/run/otlp.sock`.
    pub address: String,
    /// It speaks TLS.
    pub is_encrypted: bool,
}

/// A header that lets a request in. The secret itself is not known here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub header: String,
    /// What stands there, with a word in the place of the secret: `Bearer YOUR_TOKEN`.
    pub value: String,
}

/// Where one receiver is, for who sends to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// At a host and port.
    Tcp {
        /// `http` or `https`.
        scheme: &'static str,
        /// The host alone; an IPv6 address in its brackets.
        host: String,
        port: u16,
        /// Only this machine reaches it.
        is_loopback: bool,
    },
    /// At a path of this machine.
    Unix { scheme: &'static str, path: String },
}

impl Place {
    /// `https://tripline.example:4317`; for a socket the address as it is.
    pub(super) fn url(&self) -> String {
        match self {
            Self::Tcp {
                scheme, host, port, ..
            } => format!("{scheme}://{host}:{port}"),
            Self::Unix { path, .. } => format!("unix:{path}"),
        }
    }
}

impl Receivers {
    /// Where OTLP/gRPC is sent to.
    pub(super) fn grpc_place(&self) -> Option<Place> {
        self.place(self.grpc.as_ref()?)
    }

    /// Where OTLP/HTTP is sent to.
    pub(super) fn http_place(&self) -> Option<Place> {
        self.place(self.http.as_ref()?)
    }

    fn place(&self, receiver: &Receiver) -> Option<Place> {
        let scheme = if receiver.is_encrypted {
            "https"
        } else {
            "http"
        };
        if let Some(path) = receiver.address.strip_prefix("unix:") {
            let path = path.to_owned();
            return Some(Place::Unix { scheme, path });
        }
        let bound: SocketAddr = receiver.address.parse().ok()?;
        let host = if bound.ip().is_unspecified() {
            self.reachable_host()
        } else {
            bound.ip().to_string()
        };
        Some(Place::Tcp {
            scheme,
            host: bracketed(host),
            port: bound.port(),
            is_loopback: bound.ip().is_loopback(),
        })
    }

    /// What reaches a receiver that listens on every address of this machine: whatever reached the page. It becomes part of
    /// commands that people copy, so nothing but a plain name or address is taken.
    fn reachable_host(&self) -> String {
        let is_plain = |host: &&str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
            !host.is_empty() && !host.starts_with('-') && host.chars().all(fits)
        };
        let asked = self.asked_host.as_deref().filter(is_plain);
        asked.unwrap_or("localhost").to_owned()
    }
}

fn bracketed(host: String) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a receiver at this address is, for who asked for the page by this host.
    fn url(address: &str, is_encrypted: bool, asked_host: Option<&str>) -> String {
        let receivers = Receivers {
            grpc: Some(Receiver {
                address: address.to_owned(),
                is_encrypted,
            }),
            asked_host: asked_host.map(str::to_owned),
            ..Receivers::default()
        };
        receivers
            .grpc_place()
            .map_or_else(String::new, |place| place.url())
    }

    #[test]
    fn an_address_that_cannot_be_called_is_that_of_the_page() {
        for (address, is_encrypted, asked_host, expected) in [
            ("127.0.0.1:4317", false, None, "http://127.0.0.1:4317"),
            ("[::1]:4317", true, None, "https://[::1]:4317"),
            (
                "10.0.0.7:4317",
                false,
                Some("trip.example"),
                "http://10.0.0.7:4317",
            ),
            (
                "0.0.0.0:4317",
                false,
                Some("trip.example"),
                "http://trip.example:4317",
            ),
            ("[::]:4317", true, Some("10.0.0.7"), "https://10.0.0.7:4317"),
            (
                "0.0.0.0:4317",
                false,
                Some("fe80::7"),
                "http://[fe80::7]:4317",
            ),
            ("0.0.0.0:4317", false, None, "http://localhost:4317"),
            ("unix:/run/otlp.sock", false, None, "unix:/run/otlp.sock"),
        ] {
            assert_eq!(url(address, is_encrypted, asked_host), expected);
        }
    }

    #[test]
    fn a_host_that_a_shell_would_read_as_more_is_not_taken() {
        for host in ["$(id).localhost", "a;b", "-oProxy", "a b", "", "a'b"] {
            assert_eq!(
                url("0.0.0.0:4317", false, Some(host)),
                "http://localhost:4317",
                "{host}"
            );
        }
    }
}
