"""OTLP: records as logs of OpenTelemetry, over HTTP."""
