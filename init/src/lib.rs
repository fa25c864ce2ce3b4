//! PID 1 of the appliance. Not built yet: `lbd` runs on any Linux until the image exists.
