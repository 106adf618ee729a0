mod broker;
mod laws;
mod progress;
mod scripts;
