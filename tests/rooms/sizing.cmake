# the sizing advice, with the paper's own numbers
