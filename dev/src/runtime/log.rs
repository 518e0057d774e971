//! The functions' log lines, formatted for a terminal.

use std::{
    io::{self, Write},
    sync::{Arc, mpsc},
    thread,
};

use serde_json::{Map, Value};

/// Receives a function's name and a line that it logged.
pub type Log = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// Fields that the message already contains, or that are of no use in a terminal.
const HIDDEN_FIELDS: [&str; 9] =
    ["route", "status", "target", "span", "spans", "stage", "requests", "trace_id", "_aws"];

/// Log that prints each line, formatted, on standard error.
pub fn terminal() -> Log {
    let (lines, printed) = mpsc::channel::<String>();
    // In its own thread: a terminal that blocks does not delay anything else.
    thread::spawn(move || {
        let mut terminal = io::stderr();
        printed.into_iter().try_for_each(|line| writeln!(terminal, "{line}"))
    });
    Arc::new(move |function, line| lines.send(format_line(function, line)).unwrap_or_default())
}

/// Formats a line: `12:34:56.789 INFO  create-bot     POST /bots 201  duration_ms=7`; a line that is not JSON is not
/// changed.
fn format_line(function: &str, line: &str) -> String {
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(line) else {
        return format!("{:18} {function:<14} {line}", "");
    };
    let mut take = |name: &str| fields.remove(name).map(|value| unquoted(&value)).unwrap_or_default();
    let timestamp = take("timestamp");
    let time = timestamp.split_once('T').and_then(|(_, time)| time.get(..12)).unwrap_or_default();
    let (level, message) = (take("level"), take("message"));
    fields.retain(|name, value| {
        value != function && value.as_f64() != Some(0.0) && !HIDDEN_FIELDS.contains(&name.as_str())
    });
    let rest: String = fields.iter().map(|(name, value)| format!("  {name}={}", unquoted(value))).collect();
    format!("{time:12} {level:5} {function:<14} {message}{rest}")
}

fn unquoted(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_is_formatted() {
        let line = r#"{"timestamp":"2026-03-01T12:34:56.789123Z","level":"INFO","function":"create-bot","status":201,
            "duration_ms":7,"outside_ms":0.0,"_aws":{"Timestamp":1},"message":"POST /bots 201","target":"app","spans":[{"requestId":"1"}]}"#;
        assert_eq!(format_line("create-bot", line), "12:34:56.789 INFO  create-bot     POST /bots 201  duration_ms=7");
    }

    #[test]
    fn any_other_line_is_unchanged() {
        assert_eq!(format_line("create-bot", "thread panicked"), format!("{:18} create-bot     thread panicked", ""));
        assert_eq!(format_line("create-bot", "[1]"), format!("{:18} create-bot     [1]", ""));
        let cause = format_line("create-bot", r#"{"level":"ERROR","message":"no","cause":"a\"b"}"#);
        assert_eq!(cause, format!("{:12} ERROR create-bot     no  cause=a\"b", ""));
    }
}
