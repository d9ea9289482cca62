// Faces from frame to frame: one goes on as the one whose box it overlaps most.

const LEAST_OVERLAP = 0.2;
const LOST_S = 3; // after which a face that comes back is a new one

export class Tracks {
  constructor() {
    [this.alive, this.next] = [[], 1];
  }

  // The number of each answer, from 1; of whole frames always 1.
  assigned(answers) {
    const now = performance.now() / 1000;
    this.alive = this.alive.filter((track) => now - track.seen <= LOST_S);
    const pairs = answers.flatMap((answer, number) =>
      this.alive.map((track) => ({ number, track, share: answer.box ? overlap(answer.box, track.box) : 1 })),
    );
    const ids = answers.map(() => 0);
    const taken = new Set();
    for (const { number, track, share } of pairs.sort((one, two) => two.share - one.share)) {
      if (share < LEAST_OVERLAP || ids[number] || taken.has(track.id)) continue;
      ids[number] = track.id;
      taken.add(track.id);
      [track.box, track.seen] = [answers[number].box, now];
    }
    answers.forEach((answer, number) => {
      if (ids[number]) return;
      ids[number] = this.next++;
      this.alive.push({ id: ids[number], box: answer.box, seen: now });
    });
    return ids;
  }
}

function overlap(one, two) {
  const width = Math.min(one[2], two[2]) - Math.max(one[0], two[0]);
  const height = Math.min(one[3], two[3]) - Math.max(one[1], two[1]);
  if (width <= 0 || height <= 0) return 0;
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  return (width * height) / (area(one) + area(two) - width * height);
}
