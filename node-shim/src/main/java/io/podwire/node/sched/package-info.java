/** On which processors threads work: sched(7). */
package io.podwire.node.sched;
