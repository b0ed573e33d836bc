//! What the server counts, as metrics: read from the scoreboard when they are due. Sums and histograms begin with the server.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};
use tapster_observe::{BOUNDS_MICROS, Histogram as Times, Reading, Scoreboard, WorkerState};

use crate::values::{integer, resource, scope, text};

/// When the counts began and when they were read, in nanoseconds since the epoch.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) began: u64,
    pub(crate) now: u64,
}

/// Everything, ready to be sent.
pub(crate) fn request(
    pairs: &[(String, String)],
    board: &Scoreboard,
    span: Span,
) -> ExportMetricsServiceRequest {
    let mut metrics = Vec::new();
    if let Some(reading) = board.read_meters() {
        metrics.extend(of_requests(&reading, span));
    }
    metrics.extend(of_workers(board, span));
    metrics.extend(of_spans(board, span));
    let scope_metrics = ScopeMetrics { scope: Some(scope()), metrics, ..ScopeMetrics::default() };
    let resource_metrics = ResourceMetrics {
        resource: Some(resource(pairs)),
        scope_metrics: vec![scope_metrics],
        ..ResourceMetrics::default()
    };
    ExportMetricsServiceRequest { resource_metrics: vec![resource_metrics] }
}

fn of_requests(reading: &Reading, span: Span) -> Vec<Metric> {
    let durations = reading.durations.iter().enumerate().filter(|(_, times)| times.count() > 0);
    let durations = durations.map(|(class, times)| {
        point(times, vec![text("tapster.status_class", format!("{}xx", class + 1))], span)
    });
    let answers = reading.answers.iter().map(|((status, method), count)| {
        let status = match *status {
            class @ 0..10 => text("tapster.status_class", format!("{class}xx")),
            status => integer("http.response.status_code", i64::from(status)),
        };
        (vec![text("http.request.method", method.as_str()), status], *count)
    });
    vec![
        histogram(
            "http.server.request.duration",
            "From the complete request to the end of its answer.",
            durations.collect(),
        ),
        histogram(
            "tapster.request.queue_time",
            "From the complete request to the call of the application.",
            vec![point(&reading.queued, Vec::new(), span)],
        ),
        histogram(
            "tapster.request.app_time",
            "From the call of the application to the end of the answer.",
            vec![point(&reading.app, Vec::new(), span)],
        ),
        sum("tapster.requests", "{request}", "Answers of the workers.", answers.collect(), span),
        sum(
            "tapster.request.body.bytes",
            "By",
            "Bytes of the bodies of requests.",
            vec![(Vec::new(), reading.received)],
            span,
        ),
        sum(
            "tapster.response.body.bytes",
            "By",
            "Bytes of the bodies of answers.",
            vec![(Vec::new(), reading.sent)],
            span,
        ),
    ]
}

fn of_workers(board: &Scoreboard, span: Span) -> Vec<Metric> {
    let serving = board.iter().filter(|worker| worker.state() == WorkerState::Ready);
    let (mut workers, mut connections) = (0, 0);
    for worker in serving {
        workers += 1;
        connections += worker.connections();
    }
    vec![
        gauge("tapster.workers", "{worker}", "Workers that serve.", workers, span),
        gauge("tapster.connections", "{connection}", "Open connections of these workers.", connections, span),
    ]
}

fn of_spans(board: &Scoreboard, span: Span) -> Option<Metric> {
    let (lost, unsent) = board.spans()?.dropped();
    let points = [("no_room", lost), ("not_sent", unsent)];
    let points = points.map(|(reason, count)| (vec![text("tapster.reason", reason)], count)).to_vec();
    Some(sum("tapster.spans.dropped", "{span}", "Spans that did not reach the collector.", points, span))
}

fn sum(name: &str, unit: &str, description: &str, points: Vec<(Vec<KeyValue>, u64)>, span: Span) -> Metric {
    let data_points = points.into_iter().map(|(attributes, count)| NumberDataPoint {
        attributes,
        start_time_unix_nano: span.began,
        time_unix_nano: span.now,
        value: Some(Value::AsInt(i64::try_from(count).unwrap_or(i64::MAX))),
        ..NumberDataPoint::default()
    });
    let data = Sum {
        data_points: data_points.collect(),
        aggregation_temporality: AggregationTemporality::Cumulative.into(),
        is_monotonic: true,
    };
    metric(name, unit, description, Data::Sum(data))
}

fn gauge(name: &str, unit: &str, description: &str, value: u64, span: Span) -> Metric {
    let point = NumberDataPoint {
        time_unix_nano: span.now,
        value: Some(Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX))),
        ..NumberDataPoint::default()
    };
    metric(name, unit, description, Data::Gauge(Gauge { data_points: vec![point] }))
}

fn histogram(name: &str, description: &str, data_points: Vec<HistogramDataPoint>) -> Metric {
    let data = Histogram { data_points, aggregation_temporality: AggregationTemporality::Cumulative.into() };
    metric(name, "s", description, Data::Histogram(data))
}

fn point(times: &Times, attributes: Vec<KeyValue>, span: Span) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes,
        start_time_unix_nano: span.began,
        time_unix_nano: span.now,
        count: times.count(),
        sum: Some(times.seconds()),
        bucket_counts: times.buckets.to_vec(),
        explicit_bounds: BOUNDS_MICROS.iter().map(|micros| *micros as f64 / 1e6).collect(),
        ..HistogramDataPoint::default()
    }
}

fn metric(name: &str, unit: &str, description: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        description: description.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}
