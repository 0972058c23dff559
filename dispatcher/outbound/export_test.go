package outbound

// TimeoutOf is tested by itself: its default and its cap are longer than a test may last.
var TimeoutOf = timeoutOf
