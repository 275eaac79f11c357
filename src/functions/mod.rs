//! The doors that the Functions host opens: parse, call once, render.
