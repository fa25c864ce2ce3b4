//! Builds the appliance's operating system image. Not built yet.
