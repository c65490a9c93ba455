//! Turns tracing's events into lines and remembers the fields of spans.

use std::{io::Write, sync::Arc};

use parking_lot::Mutex;
use skald_config::LogFormat;
use tracing::{
    Event, Level, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::line::Line;

/// Where lines go.
type Sink = Arc<Mutex<dyn Write + Send>>;

/// Writes one line per event.
pub(super) struct LogLines {
    format: LogFormat,
    sink: Sink,
}

impl LogLines {
    /// To standard error.
    pub(super) fn new(format: LogFormat) -> Self {
        Self { format, sink: Arc::new(Mutex::new(std::io::stderr())) }
    }
}

/// The fields of a span, kept with it.
struct SpanFields(Line);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Line::new(self.format);
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<SpanFields>()
        {
            values.record(&mut fields.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Line::new(self.format);
        let now = jiff::Timestamp::now();
        line.text("ts", &format!("{now:.6}"));
        line.text("level", level_name(*event.metadata().level()));
        line.text("target", event.metadata().target());
        event.record(&mut line);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<SpanFields>() {
                line.append(&fields.0);
            }
        }
        // A log that cannot be written has nobody to tell.
        let _ = self.sink.lock().write_all(line.finish().as_bytes());
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::TRACE => "trace",
        Level::DEBUG => "debug",
        Level::INFO => "info",
        Level::WARN => "warn",
        Level::ERROR => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    /// What a piece of code logs.
    fn logged(format: LogFormat, work: impl FnOnce()) -> String {
        let sink = Arc::new(Mutex::new(Vec::<u8>::new()));
        let lines = LogLines { format, sink: sink.clone() };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), work);
        let bytes = sink.lock().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn work() {
        let span = tracing::info_span!("request", request_id = %"r1", rows = tracing::field::Empty);
        let _guard = span.enter();
        span.record("rows", 3);
        tracing::warn!(tenant = "team a", bytes = 12_u64, ok = true, share = 0.5, "too much");
    }

    #[test]
    fn logfmt() {
        let text = logged(LogFormat::Logfmt, work);
        let (time, rest) = text.split_once(' ').unwrap();
        assert!(time.starts_with("ts=20") && time.ends_with('Z'), "{time}");
        let expect = "level=warn target=skald_server::logging::layer::tests msg=\"too much\" tenant=\"team a\" \
                      bytes=12 ok=true share=0.5 request_id=r1 rows=3\n";
        assert_eq!(rest, expect);
    }

    #[test]
    fn json() {
        let text = logged(LogFormat::Json, work);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["msg"], "too much");
        assert_eq!(value["level"], "warn");
        assert_eq!(value["bytes"], 12);
        assert_eq!(value["ok"], true);
        assert_eq!(value["request_id"], "r1");
        assert_eq!(value["rows"], 3);
    }
}
