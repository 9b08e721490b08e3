//! What the planner does, told as scenes: rows are shown, time passes, calls are answered or not.

mod adoption;
mod alerts;
mod away;
mod breakers;
mod change;
mod checker;
mod clocks;
mod completion;
mod environments;
mod evidence;
mod identity;
mod launching;
mod leaving;
mod lost_answers;
mod places;
mod properties;
mod reasons;
mod release;
mod room;
mod scene;
mod scopes;
mod set_aside;
mod strays;
mod suspects;
mod warm;
