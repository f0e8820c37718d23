"""The pool of experts: applications, qualification by regulators, upkeep by the platform, appraisals, imports."""
