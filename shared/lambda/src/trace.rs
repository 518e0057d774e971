//! Traces: sends each call of an invocation to the X-Ray daemon as a subsegment.

use std::net::{SocketAddr, UdpSocket};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::timings::{Call, Callee};

/// First line of every datagram.
const DATAGRAM_HEADER: &str = "{\"format\":\"json\",\"version\":1}\n";

/// Socket connected to the X-Ray daemon.
pub(crate) struct Tracer(UdpSocket);

/// Trace and parent segment of an invocation, as in `Root=1-…;Parent=…;Sampled=1`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TraceHeader<'a> {
    pub(crate) root: &'a str,
    parent: &'a str,
    is_sampled: bool,
}

/// Subsegment of one call:
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>
#[derive(Serialize)]
struct Subsegment<'a> {
    name: &'static str,
    id: String,
    trace_id: &'a str,
    parent_id: &'a str,
    r#type: &'static str,
    namespace: &'static str,
    start_time: f64,
    end_time: f64,
}

impl<'a> TraceHeader<'a> {
    pub(crate) fn parse(header: &'a str) -> Option<Self> {
        let part = |name: &str| header.split(';').find_map(|part| part.trim().strip_prefix(name));
        let (root, parent) = (part("Root=")?, part("Parent=").unwrap_or_default());
        Some(Self { root, parent, is_sampled: part("Sampled=") == Some("1") })
    }
}

impl Tracer {
    /// Connects to the daemon's address. `None` if it is not an address or no socket can be opened.
    pub(crate) fn connect(address: &str) -> Option<Self> {
        let address: SocketAddr = address.parse().ok()?;
        let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
        socket.connect(address).ok()?;
        // A request must not wait for its trace.
        socket.set_nonblocking(true).ok()?;
        Some(Self(socket))
    }

    /// Sends a subsegment for each call, if the invocation is sampled. Lost datagrams are not sent again.
    pub(crate) fn emit(&self, trace: TraceHeader<'_>, calls: &[Call]) {
        if !trace.is_sampled || trace.parent.is_empty() {
            return;
        }
        for call in calls {
            let start_time = seconds(call.started);
            let subsegment = Subsegment {
                name: match call.callee {
                    Callee::Database => "database",
                    Callee::External(service) => service,
                },
                id: format!("{:016x}", getrandom::u64().unwrap_or_default()),
                trace_id: trace.root,
                parent_id: trace.parent,
                r#type: "subsegment",
                namespace: "remote",
                start_time,
                end_time: start_time + call.duration.as_secs_f64(),
            };
            let json = serde_json::to_string(&subsegment).unwrap_or_default();
            self.0.send(format!("{DATAGRAM_HEADER}{json}").as_bytes()).unwrap_or_default();
        }
    }
}

/// Seconds since the Unix epoch.
fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_fields_of_a_trace_header_may_be_in_any_order() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:1";
        let parsed = TraceHeader::parse(header).unwrap();
        assert_eq!((parsed.root, parsed.parent), ("1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"));
        assert!(parsed.is_sampled);
        assert!(!TraceHeader::parse("Sampled=0;Root=1-a-b").unwrap().is_sampled);
        assert_eq!(TraceHeader::parse(""), None);
    }

    #[test]
    fn only_sampled_invocations_are_sent() {
        let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
        daemon.set_nonblocking(true).unwrap();
        let tracer = Tracer::connect(&daemon.local_addr().unwrap().to_string()).unwrap();
        let call = |callee| Call {
            callee,
            started: UNIX_EPOCH + Duration::from_secs(5),
            duration: Duration::from_millis(1500),
        };
        let calls = [call(Callee::Database), call(Callee::External("tripay"))];
        tracer.emit(TraceHeader::parse("Root=1-a-b;Parent=c;Sampled=0").unwrap(), &calls);
        tracer.emit(TraceHeader::parse("Root=1-a-b;Parent=c;Sampled=1").unwrap(), &calls);
        let mut sent = Vec::new();
        let mut datagram = [0; 1024];
        while let Ok(length) = daemon.recv(&mut datagram) {
            let (header, segment) = std::str::from_utf8(&datagram[..length]).unwrap().split_once('\n').unwrap();
            assert_eq!(header, r#"{"format":"json","version":1}"#);
            let segment: serde_json::Value = serde_json::from_str(segment).unwrap();
            assert_eq!(segment["id"].as_str().unwrap().len(), 16);
            sent.push(format!(
                "{} {} {} {} {}",
                segment["name"].as_str().unwrap(),
                segment["trace_id"],
                segment["parent_id"],
                segment["start_time"],
                segment["end_time"]
            ));
        }
        assert_eq!(sent, [r#"database "1-a-b" "c" 5.0 6.5"#, r#"tripay "1-a-b" "c" 5.0 6.5"#]);
    }
}
