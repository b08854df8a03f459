//! Changes by themselves: canonical form, risk, periods.
