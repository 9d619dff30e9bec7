"""The figures of a report. One figure a file: its ``draw`` takes a sweep and a theme."""
