"""A recipe that trains PAF networks on photographs with labels, with a teacher where there is one."""
