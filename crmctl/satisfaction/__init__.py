"""Satisfaction (客户满意度): what customers answered when they were asked, and where each score comes from (SAT-02)."""
