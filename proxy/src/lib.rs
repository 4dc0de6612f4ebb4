//! Shards, listeners, reload, drain, admin, telemetry, configuration sources.
